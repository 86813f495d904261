// A process of its own, for guard.test.ts: opens the databases that its arguments name, says so,
// and waits to be killed.
import { type DatabaseName, openDatabase } from '../../src/index.ts';

const names = process.argv.slice(2) as DatabaseName[];
const servers = await Promise.all(names.map((name) => openDatabase(name)));
console.log(JSON.stringify(servers.map(({ url }) => url)));
setInterval(() => undefined, 60_000);
