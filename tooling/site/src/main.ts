import { buildSite, site } from './build.ts';
import { siteProblems } from './links.ts';
import { base } from './pages.ts';

await buildSite();
const problems = siteProblems(site, base);
for (const problem of problems) console.error(problem);
console.log(`The site is in ${site}`);
process.exitCode = problems.length === 0 ? 0 : 1;
