// How a second process of the kit's own tests opens the storage that the test serves.
import type { SessionBackend } from '@mcp-session/core/backend';
import { openServed, type ServedArgument } from './served.ts';

export function openBackend(argument: unknown): SessionBackend {
  return openServed(argument as ServedArgument);
}
