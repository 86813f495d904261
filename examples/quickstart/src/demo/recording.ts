const LINE_PX = 18;
const CHAR_PX = 7.8;
const LINE_SECONDS = 0.45;

/** Parts of the output that differ from run to run, and their replacements in the recording. */
const VARIABLE: readonly (readonly [pattern: RegExp, replacement: string])[] = [
  [/[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f-]{21}/g, '01a21bea-3f96-7300-a58c-f5af116739fb'],
  [/(?<=Last-Event-ID: )\d+\.[\w-]+\.[\w-]+/g, '9.meEBoy6n.req-1-0756b831dfee7d84-5e35d664de3d3'],
  [/(?<=127\.0\.0\.1:)\d+/g, '7460'],
  [/(?<=in a file, )\S+(?=\.$)/gm, 'sessions.db'],
];

/** The output of the demo as it is recorded, without the parts that differ from run to run. */
export function recordable(output: string): string[] {
  const pids: string[] = [];
  const numbered = output.replaceAll(/(?<=Process |kill -9 )\d+/g, (pid) => {
    if (!pids.includes(pid)) pids.push(pid);
    return String(4711 + pids.indexOf(pid));
  });
  const lines = VARIABLE.reduce((text, [from, to]) => text.replaceAll(from, to), numbered).split('\n');
  const start = lines.findIndex((line) => line.startsWith('1. '));
  const end = lines.findIndex((line) => line.startsWith('The demo succeeded'));
  return lines.slice(start, end + 1);
}

/** An animated SVG image that shows the lines one after the other, as a terminal would. */
export function recordingOf(lines: readonly string[]): string {
  const width = Math.ceil(Math.max(...lines.map(({ length }) => length)) * CHAR_PX + 40);
  const height = lines.length * LINE_PX + 40;
  const rows = lines.map((line, index) => rowOf(line, index)).filter((row) => row !== '');
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">
<style>
text { font: 13px ui-monospace, Menlo, Consolas, monospace; fill: #c9d1d9; white-space: pre; animation: show 0.2s both; }
.heading { fill: #79c0ff; font-weight: bold; }
.kill { fill: #ff7b72; font-weight: bold; }
.client { fill: #7ee787; }
@keyframes show { from { opacity: 0; } }
@media (prefers-reduced-motion: reduce) { text { animation: none; } }
</style>
<rect width="100%" height="100%" rx="8" fill="#0d1117"/>
${rows.join('\n')}
</svg>
`;
}

function rowOf(line: string, index: number): string {
  if (line.trim() === '') return '';
  const y = 28 + index * LINE_PX;
  const delay = (index * LINE_SECONDS).toFixed(2);
  return `<text x="20" y="${y}" class="${classOf(line)}" style="animation-delay: ${delay}s" xml:space="preserve">${escaped(line)}</text>`;
}

function classOf(line: string): string {
  if (/^\d+\. kill -9/.test(line)) return 'kill';
  if (/^\d+\. /.test(line)) return 'heading';
  return line.includes('client |') ? 'client' : 'line';
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** The lines that a recording shows. */
export function linesOf(recording: string): string[] {
  const texts = [...recording.matchAll(/<text [^>]*>([^<]*)<\/text>/g)].map(([, text = '']) => text);
  return texts.map((text) => text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&'));
}
