// Writes the pages of docs/reference that are generated.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '@mcp-session-tooling/workspace/packages';
import { contractPage } from './contract.ts';
import { optionsPage } from './options.ts';
import { platformsPage } from './platforms.ts';

writeFileSync(join(root, 'docs/reference/contract.md'), contractPage());
writeFileSync(join(root, 'docs/reference/options.md'), optionsPage());
writeFileSync(join(root, 'docs/reference/clients-and-platforms.md'), platformsPage());
