/**
 * Removes a key: to be returned by the function given to `state.update`, or given as a value to `state.patch`. `undefined` is taken for a mistake there, since it is
 * what a function that returns nothing returns.
 */
// Registered, so that two copies of this package in one program mean the same.
export const REMOVE: unique symbol = Symbol.for('@mcp-session/core/REMOVE');
