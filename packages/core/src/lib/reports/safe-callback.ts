/** Who calls a callback of the application, for the warning when it throws. */
export interface CallbackOwner {
  /** Such as `a session store`. */
  readonly owner: string;
  /** The name of the process warning, such as `SessionStoreWarning`. */
  readonly warning: string;
}

/** Wraps a callback of the application so that it never throws. */
export function safeCallback<Values extends readonly unknown[]>(
  name: string,
  callback: ((...values: Values) => void) | undefined,
  { owner, warning }: CallbackOwner,
): (...values: Values) => void {
  return (...values) => {
    try {
      callback?.(...values);
    } catch (thrown) {
      process.emitWarning(`The ${name} of ${owner} threw: ${String(thrown)}`, warning);
    }
  };
}
