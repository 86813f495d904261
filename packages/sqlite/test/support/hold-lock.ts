// Takes the write lock of a file and holds it until its input ends.
import { text } from 'node:stream/consumers';
import Database from 'better-sqlite3';

const database = new Database(process.argv[2]);
database.exec('begin immediate');
process.stdout.write('locked\n');
await text(process.stdin);
database.exec('commit');
database.close();
