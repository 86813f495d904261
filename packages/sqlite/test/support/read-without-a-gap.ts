// Reads on two connections in turn, each short, the next one begun before the last one ends: at no
// moment is nobody reading. Until it is killed.
import Database from 'better-sqlite3';

const path = process.argv[2];
const readers = [new Database(path, { readonly: true }), new Database(path, { readonly: true })] as const;
const begin = (reader: Database.Database): void => void reader.exec('begin; select count(*) from mcp_sessions');
begin(readers[0]);
process.stdout.write('reading\n');
for (let [last, next] = readers; ; [last, next] = [next, last]) {
  begin(next);
  last.exec('commit');
}
