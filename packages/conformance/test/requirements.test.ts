import { requirements } from '@mcp-session/conformance';
import { describe, expect, it } from 'vitest';
import { cases } from '../src/lib/cases.ts';
import { bugs } from './bugs/index.ts';

describe('the table of requirements', () => {
  const ids = Object.keys(requirements);

  it('is cited by the cases, every id of it and no other', () => {
    expect([...new Set(cases.map(({ id }) => id))].toSorted()).toEqual(ids.toSorted());
  });

  it('has a planted bug for every id', () => {
    expect([...new Set(bugs.map(({ breaks }) => breaks))].toSorted()).toEqual(ids.toSorted());
  });

  it('says each promise in one sentence, without a full stop', () => {
    for (const sentence of Object.values(requirements)) expect(sentence).toMatch(/^[A-Z0-9].*[^.]$/);
    expect(new Set(Object.values(requirements)).size).toBe(ids.length);
  });

  it('gives each case a title of its own', () => {
    const titles = cases.map(({ id, title }) => `${id}: ${title}`);
    expect(titles.filter((title, index) => titles.indexOf(title) !== index)).toEqual([]);
  });
});
