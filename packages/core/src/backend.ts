export {
  callable,
  checkOptions,
  flag,
  kindOf,
  oneOf,
  optional,
  positive,
  text,
  texts,
  whole,
  type OptionNames,
} from './lib/option-checks.ts';
export { sessionStoreOptions, storeOptionsOf } from './lib/options.ts';
