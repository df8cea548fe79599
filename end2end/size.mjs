#!/usr/bin/env node
// What a browser downloads, as the server sends it (brotli), against the budgets. Over the budget is said; over the
// limit is an error.
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync } from 'node:zlib';

const folder = process.argv[2];
const kinds = [
  { name: 'program, at first', files: /^partyline\.wasm$/, budget: 250_000, limit: 350_000 },
  { name: 'chunk: live', files: /^live\.\w+\.wasm$/, budget: 30_000, limit: 35_000 },
  { name: 'chunk: markdown', files: /^markdown\.\w+\.wasm$/, budget: 80_000, limit: 100_000 },
  { name: 'chunk: sending', files: /^sending\.\w+\.wasm$/, budget: 20_000, limit: 30_000 },
  { name: 'chunk: switcher', files: /^switcher\.\w+\.wasm$/, budget: 20_000, limit: 30_000 },
  { name: 'chunk: thread', files: /^thread\.\w+\.wasm$/, budget: 20_000, limit: 30_000 },
  { name: 'shared by chunks', files: /^chunk_\d+\.\w+\.wasm$/, budget: 10_000, limit: 15_000 },
  { name: 'scripts', files: /\.js$/, budget: 15_000, limit: 20_000 },
  { name: 'style', files: /\.css$/, budget: 20_000, limit: 25_000 },
];

/** As it was compressed at the build, if it was. */
function sent(file) {
  const path = join(folder, file);
  const packed = `${path}.br`;
  return existsSync(packed) ? statSync(packed).size : brotliCompressSync(readFileSync(path)).length;
}

const files = readdirSync(folder).filter((file) => !file.endsWith('.br'));
const kB = (bytes) => `${(bytes / 1000).toFixed(1)} kB`.padStart(9);
let bad = false;
console.log(`${''.padEnd(18)}${'sent'.padStart(9)}${'budget'.padStart(10)}${'limit'.padStart(10)}`);
for (const { name, files: which, budget, limit } of kinds) {
  const found = files.filter((file) => which.test(file));
  const bytes = found.reduce((sum, file) => sum + sent(file), 0);
  const missing = found.length === 0;
  const verdict = missing ? 'MISSING' : bytes > limit ? 'TOO LARGE' : bytes > budget ? 'over the budget' : '';
  bad ||= missing || bytes > limit;
  console.log(`${name.padEnd(18)}${kB(bytes)} ${kB(budget)} ${kB(limit)}  ${verdict}`.trimEnd());
}
// A file without a limit would be a way around them all.
for (const file of files.filter((file) => !kinds.some(({ files: which }) => which.test(file)))) {
  console.log(`${file}: no budget is set for this`);
  bad = true;
}
process.exit(bad ? 1 : 0);
