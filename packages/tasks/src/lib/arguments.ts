import type { JsonValue } from '@mcp-session/core';
import { kindOf } from '@mcp-session/core/backend';
import { failureOf } from './failure.ts';
import { isObject } from './params.ts';
import { checkJson } from './room.ts';
import type { InputRequests, TaskFailure } from './task.ts';

// What a worker gives to its task. A runner in JavaScript, or one with an `any`, may give anything.

/** @throws TypeError */
export function checkMessage(message: unknown): void {
  if (typeof message !== 'string') throw new TypeError(`Message of status is ${kindOf(message)}, not a string`);
}

/** @throws TypeError. SessionError `NOT_JSON`. */
export function checkRequests(requests: InputRequests): void {
  if (!isObject(requests)) {
    throw new TypeError(`Requests of requireInput are ${kindOf(requests)}, not an object of requests by key`);
  }
  for (const [key, request] of Object.entries(requests)) {
    const subject = `Request ${JSON.stringify(key)} of requireInput`;
    if (!isObject(request)) throw new TypeError(`${subject} is ${kindOf(request)}, not an object with a method`);
    const { method } = request as { readonly method?: JsonValue };
    if (typeof method !== 'string') throw new TypeError(`${subject} has no method`);
    checkJson(request, () => subject);
  }
}

/** @throws SessionError `NOT_JSON` */
export function checkCheckpoint(value: JsonValue): void {
  checkJson(value, () => 'Checkpoint of a task');
}

/** @returns The JSON of the result. @throws TypeError. SessionError `NOT_JSON`. */
export function checkResult(result: object): string {
  if (!isObject(result)) throw new TypeError(`Result of a task is ${kindOf(result)}, not an object`);
  return checkJson(result, () => 'Result of a task');
}

/**
 * @returns The JSON-RPC error, of an object with its properties or of an error of the SDKs.
 * @throws TypeError. SessionError `NOT_JSON`.
 */
export function checkFailure(error: unknown): TaskFailure {
  const failure = failureOf(error);
  if (failure === undefined) throw new TypeError(`Error of fail ${faultOf(error)}`);
  checkJson(failure, () => 'Error of a task');
  return failure;
}

function faultOf(error: unknown): string {
  if (!isObject(error)) return `is ${kindOf(error)}, not an error with a whole number as its code`;
  return Number.isInteger((error as Partial<TaskFailure>).code)
    ? 'has no message'
    : "has no whole number as its code; throw it to end the task with a tool's error";
}
