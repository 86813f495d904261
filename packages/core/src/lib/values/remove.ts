/**
 * Removes a key when the function passed to `state.update` returns it, or as a value in
 * `state.patch`. `undefined` does not remove: it is what a function without a `return` gives, so it
 * is refused.
 */
// Registered, so that it is the same in two copies of this package.
export const REMOVE: unique symbol = Symbol.for('@mcp-session/core/REMOVE');
