import { describePostgres } from './support/kit.ts';

// As behind an old pooler in transaction mode.
describePostgres('postgres, unprepared and without notifications', { prepare: false, notifications: 'off' });
