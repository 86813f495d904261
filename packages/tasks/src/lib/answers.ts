import { SessionError, type JsonValue } from '@mcp-session/core';
import { isObject } from './params.ts';
import { COMMANDS, isFinal, recordOf, type TaskRecord, type TaskSession } from './record.ts';
import { bytesOf, roomIn } from './room.ts';
import { inputRefused } from './task-error.ts';
import type { InputRequests, InputResponses } from './task.ts';

/** What another node sends to the worker of a task. */
export type Command = { readonly cancel: true } | { readonly answers: Readonly<Record<string, JsonValue>> };

/** How many bytes of JSON the answers of one task may have. The rest is for its worker. */
const MAX_ANSWERS_BYTES = 131_072;
const MAX_DEPTH = 64;
/** How many answers and cancellations may wait for a worker: as many as one read returns. */
const MAX_WAITING = 1_000;

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

/** Takes the first answers to what is outstanding. @returns The same record if there are none. */
export function withAnswers(record: TaskRecord, given: Readonly<Record<string, JsonValue>>): TaskRecord {
  const news = Object.entries(given).filter(([key]) => Object.hasOwn(record.inputRequests, key));
  if (news.length === 0) return record;
  const open = Object.entries(record.inputRequests).filter(([key]) => !Object.hasOwn(given, key));
  const answers = { ...record.answers, ...Object.fromEntries(news) };
  return withRequests({ ...record, answers }, Object.fromEntries(open));
}

export function withRequests(record: TaskRecord, inputRequests: InputRequests): TaskRecord {
  const status = Object.keys(inputRequests).length === 0 ? 'working' : 'input_required';
  return { ...record, inputRequests, status };
}

/**
 * The record as it will be when the worker has taken the answers that wait for it: what a client
 * has answered is not outstanding any more, wherever its worker is. Reads nothing if none can wait.
 */
export async function withWaitingAnswers(session: TaskSession): Promise<TaskRecord> {
  return (await waitingIn(session)).record;
}

/**
 * The same, before more is sent. What waits for a worker that is not there is read with each
 * `tasks/get`, so it counts as if it were taken: its key is answered, and it has used its room.
 *
 * @throws TaskError `INPUT_REFUSED` if so much waits that one page would not hold one more.
 */
export async function withRoomToWait(session: TaskSession): Promise<TaskRecord> {
  const { record, isFull } = await waitingIn(session);
  if (isFull) throw inputRefused('too many wait for the worker of the task');
  return record;
}

/** @returns Also whether there is no room for one more. */
async function waitingIn(session: TaskSession): Promise<{ readonly record: TaskRecord; readonly isFull: boolean }> {
  const record = recordOf(session);
  if (isFinal(record) || session.lastSeq <= record.takenSeq) return { record, isFull: false };
  try {
    const query = { streamId: COMMANDS, afterSeq: record.takenSeq, limit: MAX_WAITING };
    const { events, more } = await session.events.page(query);
    const commands = events.map(({ message }) => message as Command);
    const taken = commands.reduce<TaskRecord>(
      (next, command) => ('answers' in command ? withAnswers(next, command.answers) : next),
      record,
    );
    return { record: taken, isFull: more || events.length >= MAX_WAITING };
  } catch (error) {
    // The task has ended since it was read.
    if (error instanceof SessionError && error.code === 'SESSION_NOT_FOUND') return { record, isFull: false };
    throw error;
  }
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((each) => isDeeper(each, levels - 1));
}
