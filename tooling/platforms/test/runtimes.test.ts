import { it } from 'vitest';
import { casesOf, playOnPlatform } from './support/platforms.ts';

it.each(casesOf('others'))('on $name with $backend, a session survives the end of its server', playOnPlatform);
