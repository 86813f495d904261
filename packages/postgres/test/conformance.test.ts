import { describePostgres } from './support/kit.ts';

describePostgres('postgres', {});
