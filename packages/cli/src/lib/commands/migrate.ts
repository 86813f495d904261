import type { Context } from '../context.ts';

/** Creates or migrates the tables, or prints what that would do. */
export async function migrate({ printer, withBackend }: Context, dryRun: boolean): Promise<void> {
  await withBackend(
    async (backend) => {
      const statements = (await backend.planMigration?.()) ?? [];
      if (!dryRun && statements.length > 0) await backend.migrate();
      if (printer.json) {
        printer.document({ statements, done: !dryRun });
        return;
      }
      if (statements.length === 0) printer.line('The store is up to date.');
      else if (dryRun) printer.line(statements.map((statement) => `${statement};`).join('\n\n'));
      else printer.line('The store is migrated.');
    },
    dryRun ? 'plan' : 'create',
  );
}
