import type { Scale, Section } from '../lib/result.ts';
import { dynamodb } from './dynamodb.ts';
import { http } from './http.ts';
import { memory } from './memory.ts';
import { packages } from './packages.ts';
import { postgres } from './postgres.ts';
import { postgresScale } from './postgres-scale.ts';
import { sqlite } from './sqlite.ts';
import { sqliteScale } from './sqlite-scale.ts';

/** The parts of a run, in their order. */
const groups: Readonly<Record<string, (scale: Scale) => Promise<Section[]>>> = {
  memory: async (scale) => [await memory(scale)],
  sqlite: async (scale) => [await sqlite('full', scale), await sqlite('normal', scale), await sqliteScale(scale)],
  postgres: async (scale) => [await postgres('on', scale), await postgres('off', scale), await postgresScale(scale)],
  dynamodb: async (scale) => [await dynamodb(scale)],
  http: async (scale) => [await http(scale)],
  packages: async (scale) => [await packages(scale)],
};

export const groupNames: readonly string[] = Object.keys(groups);

export async function measure(name: string, scale: Scale): Promise<Section[]> {
  return (await groups[name]?.(scale)) ?? [];
}
