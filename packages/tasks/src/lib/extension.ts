import { CLIENT_CAPABILITIES_META_KEY, MissingRequiredClientCapabilityError } from '@modelcontextprotocol/server';

/** The name of the extension in the capabilities of clients and servers. */
export const TASKS_EXTENSION = 'io.modelcontextprotocol/tasks';

/** Whether the `_meta` of a request declares the extension. It counts for this request only. */
export function declaresTasks(meta: unknown): boolean {
  const { extensions } = (propertyOf(meta, CLIENT_CAPABILITIES_META_KEY) ?? {}) as { readonly extensions?: unknown };
  return typeof extensions === 'object' && extensions !== null && Object.hasOwn(extensions, TASKS_EXTENSION);
}

export function missingExtension(): MissingRequiredClientCapabilityError {
  return new MissingRequiredClientCapabilityError({ requiredCapabilities: { extensions: { [TASKS_EXTENSION]: {} } } });
}

function propertyOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined;
}
