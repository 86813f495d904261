// Writes docs/reference/contract.md.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '@mcp-session-tooling/workspace/packages';
import { contractPage } from './contract.ts';

writeFileSync(join(root, 'docs/reference/contract.md'), contractPage());
