type Told = string | null | undefined;

/** An option `principal` that is wrong, and a part of what is reported. */
export type Mistake = readonly [name: string, principal: () => Told | Promise<Told>, message: string];

/** What an application may return by mistake for a request with a token. */
export function mistakesOf(where: string): readonly Mistake[] {
  const returned = `Option principal of ${where} returned`;
  return [
    ['a number', () => 42 as unknown as string, `${returned} a number; return a string`],
    ['an empty string', () => '', `${returned} an empty string; return a string`],
    ['undefined', () => undefined, `${returned} undefined; return a string`],
    ['null', () => null, `${returned} null for a request with authInfo; return the user`],
    ['an object', async () => ({ id: 'alice' }) as unknown as string, `${returned} an object; return a string`],
    ['a text that is too long', () => 'x'.repeat(10_000), 'Principal is too long'],
    [
      'an error',
      () => {
        throw new Error('lookup failed at db.internal');
      },
      'lookup failed at db.internal',
    ],
    ['a rejection', async () => Promise.reject(new Error('lookup failed')), 'lookup failed'],
  ];
}
