import type { JsonValue } from '@mcp-session/core';
import { isObject } from './params.ts';
import type { TaskRecord } from './record.ts';
import { bytesOf, roomIn } from './room.ts';
import { inputRefused } from './task-error.ts';
import type { InputResponses } from './task.ts';

/** How many bytes of JSON the answers of one task may have. The rest is for its worker. */
const MAX_ANSWERS_BYTES = 131_072;
const MAX_DEPTH = 64;

/**
 * Takes from a client's answers those to outstanding requests.
 *
 * @returns `undefined` if there are none.
 * @throws TaskError `INPUT_REFUSED` if they are no object, or the record of the task has no room
 * for them.
 */
export function answersTo(record: TaskRecord, given: InputResponses): Readonly<Record<string, JsonValue>> | undefined {
  // A caller may pass on what a client has sent.
  if (!isObject(given)) throw inputRefused('they are not an object');
  const news = Object.entries(given).filter(([key]) => Object.hasOwn(record.inputRequests, key));
  if (news.length === 0) return undefined;
  const answers = Object.fromEntries(news);
  // Recursive encoders come after this one, and have no more stack than it has.
  if (isDeeper(answers, MAX_DEPTH)) throw inputRefused(`they have more than ${MAX_DEPTH} levels`);
  const bytes = bytesOf(answers);
  const room = Math.min(MAX_ANSWERS_BYTES - bytesOf(record.answers), roomIn(record));
  if (bytes > room) throw inputRefused(`they have ${bytes} bytes, and the task has room for ${Math.max(0, room)}`);
  return answers as Readonly<Record<string, JsonValue>>;
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((each) => isDeeper(each, levels - 1));
}
