// What the browser tests that failed, at the first try or at both, had to say: printed last, where a long log is read.
import { readFileSync } from 'node:fs';

const longest = 14;

function* specs({ suites = [], specs: own = [] }) {
  yield* own;
  for (const suite of suites) yield* specs(suite);
}

for (const { title, file, tests } of specs(JSON.parse(readFileSync(process.argv[2], 'utf8')))) {
  for (const { projectName, results } of tests) {
    for (const { retry, duration, errors } of results) {
      for (const { message = '' } of errors) {
        const said = message.replace(/\u001b\[[0-9;]*m/g, '').split('\n').filter((line) => line.trim());
        console.log(`[${projectName}] ${file} › ${title}, try ${retry + 1}, after ${Math.round(duration / 1000)} s`);
        console.log(said.slice(0, longest).map((line) => `    ${line}`).join('\n'));
      }
    }
  }
}
