/**
 * The type of {@link REMOVE}: a symbol with a mark that no symbol has. It is not `unique symbol`,
 * which would be another type in another copy of this package, so that the stores of one copy would
 * not fit the signatures of the other.
 */
export type Remove = symbol & { readonly '@mcp-session/core': 'REMOVE' };

/**
 * Removes a key when the function passed to `state.update` returns it, or as a value in
 * `state.patch`. `undefined` does not remove: it is what a function without a `return` gives, so it
 * is refused.
 */
// Registered, so that it is the same in two copies of this package.
export const REMOVE: Remove = Symbol.for('@mcp-session/core/REMOVE') as Remove;
