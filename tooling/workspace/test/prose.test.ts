import { expect, it } from 'vitest';
import { phrasesIn } from '../src/prose.ts';

it('finds phrases that have a plainer one, with their line', () => {
  expect(phrasesIn('Whoever reads it\nwaits for ever, in place of that.')).toEqual([
    '1: "Whoever"; write "anyone who"',
    '2: "in place of"; write "instead of"',
    '2: "for ever"; write "forever"',
  ]);
});

it.each([
  'The client is told what happened.',
  'Two seconds at the most.',
  'It would else wait.',
  'A client that comes without a cursor.',
  'It hears of it.',
])('refuses "%s"', (text) => {
  expect(phrasesIn(text)).toHaveLength(1);
});

it.each(['A node that is told to stop.', 'Two can be told apart.', 'Forever, at most, instead.'])(
  'accepts "%s"',
  (text) => {
    expect(phrasesIn(text)).toEqual([]);
  },
);
