import { describe, expect, it } from 'vitest';
import { ForcedSourceError, openFirst, parseMode, type Source, type SourceName } from '../src/lib/sources.ts';

interface Server {
  readonly product: string;
}

/** The three sources; those that are named work. */
function sources(...working: SourceName[]): { all: Source<Server>[]; tried: SourceName[] } {
  const tried: SourceName[] = [];
  const source = (name: SourceName): Source<Server> => ({
    name,
    open: () => {
      tried.push(name);
      if (working.includes(name)) return Promise.resolve({ product: `a server of ${name}` });
      return Promise.reject(new Error(`${name} is not here\nand its advice`));
    },
  });
  return { all: [source('env'), source('docker'), source('embedded')], tried };
}

async function open(working: SourceName[], forced?: SourceName): Promise<{ lines: string[]; tried: SourceName[] }> {
  const { all, tried } = sources(...working);
  const lines: string[] = [];
  await openFirst('postgres', all, forced, (line) => lines.push(line));
  return { lines, tried };
}

describe('the order of the sources', () => {
  it('takes the environment before all else, and says so in one line', async () => {
    const { lines, tried } = await open(['env', 'docker', 'embedded']);
    expect(tried).toEqual(['env']);
    expect(lines).toEqual(['test database postgres: a server of env, source "env"']);
  });

  it('takes Docker next, and says why not the environment', async () => {
    const { lines, tried } = await open(['docker', 'embedded']);
    expect(tried).toEqual(['env', 'docker']);
    expect(lines).toEqual(['test database postgres: a server of docker, source "docker" (env: env is not here)']);
  });

  it('takes the embedded server last, and says why nothing before it', async () => {
    const { lines, tried } = await open(['embedded']);
    expect(tried).toEqual(['env', 'docker', 'embedded']);
    expect(lines).toEqual([
      'test database postgres: a server of embedded, source "embedded" (env: env is not here; docker: docker is not here)',
    ]);
  });

  it('fails when none works, and names each way with its reason and advice', async () => {
    await expect(open([])).rejects.toThrow(
      [
        'No test database for postgres: none of its three sources works',
        '  env: env is not here',
        '    and its advice',
        '  docker: docker is not here',
        '    and its advice',
        '  embedded: embedded is not here',
        '    and its advice',
      ].join('\n'),
    );
  });

  it('tries nothing else when a source says that it was asked for and does not work', async () => {
    const { all, tried } = sources('docker', 'embedded');
    const refused: Source<Server> = { name: 'env', open: () => Promise.reject(new ForcedSourceError('no answer')) };
    await expect(openFirst('postgres', [refused, ...all.slice(1)], undefined, () => undefined)).rejects.toThrow(
      new ForcedSourceError('no answer'),
    );
    expect(tried).toEqual([]);
  });
});

describe('a forced source', () => {
  it.each(['env', 'docker', 'embedded'] as const)('%s is the only one tried', async (forced) => {
    const { lines, tried } = await open(['env', 'docker', 'embedded'], forced);
    expect(tried).toEqual([forced]);
    expect(lines).toEqual([
      `test database postgres: a server of ${forced}, source "${forced}" (MCP_SESSION_TEST_DATABASES is "${forced}")`,
    ]);
  });

  it.each(['env', 'docker', 'embedded'] as const)(
    '%s that does not work is a failure, not a fallback',
    async (forced) => {
      const { all, tried } = sources(...(['env', 'docker', 'embedded'] as const).filter((name) => name !== forced));
      const opened = openFirst('dynamodb', all, forced, () => undefined);
      await expect(opened).rejects.toThrow(ForcedSourceError);
      await expect(opened).rejects.toThrow(
        `MCP_SESSION_TEST_DATABASES is "${forced}", which does not work for dynamodb: ${forced} is not here`,
      );
      expect(tried).toEqual([forced]);
    },
  );
});

describe('MCP_SESSION_TEST_DATABASES', () => {
  it('forces nothing when it is not set or empty', () => {
    expect(parseMode(undefined)).toBeUndefined();
    expect(parseMode('')).toBeUndefined();
  });

  it.each(['env', 'docker', 'embedded'] as const)('may be "%s"', (mode) => {
    expect(parseMode(mode)).toBe(mode);
  });

  it.each(['Docker', 'none', 'env,docker', ' '])('refuses "%s" and lists what is valid', (value) => {
    expect(() => parseMode(value)).toThrow(
      new RangeError(`MCP_SESSION_TEST_DATABASES is "${value}", which is none of "env", "docker", "embedded"`),
    );
  });
});
