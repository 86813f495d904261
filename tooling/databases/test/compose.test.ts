import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { images } from '../src/index.ts';

const compose = readFileSync(new URL('../../../docker-compose.yml', import.meta.url), 'utf8');
const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

const all = (pattern: RegExp): string[] => [...compose.matchAll(pattern)].map((match) => match[1] ?? '');

it('docker-compose.yml runs the images that the harness runs', () => {
  expect(all(/^ +image: (\S+)$/gm)).toEqual([images.postgres, images.dynamodb]);
});

it('docker-compose.yml listens on the loopback interface only, away from the usual ports', () => {
  const ports = all(/^ +- '?(\S+:\d+:\d+)'?$/gm);
  expect(ports).toHaveLength(2);
  for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:(?!5432:|8000:)\d+:/);
});

it('the README names the ports of docker-compose.yml', () => {
  const [postgres, dynamodb] = all(/^ +- '?127\.0\.0\.1:(\d+):\d+'?$/gm);
  expect(readme).toMatch(new RegExp(`MCP_SESSION_TEST_POSTGRES_URL=postgres://\\S+@127\\.0\\.0\\.1:${postgres}/`));
  expect(readme).toContain(`MCP_SESSION_TEST_DYNAMODB_URL=http://127.0.0.1:${dynamodb}\n`);
});
