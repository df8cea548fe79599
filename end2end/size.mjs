#!/usr/bin/env node
// What a browser downloads, compressed as a server would, against the budgets.
import { readFileSync } from 'node:fs';
import { brotliCompressSync } from 'node:zlib';

const pkg = process.argv[2];
const budgets = { 'partyline.wasm': 250_000, 'partyline.css': 20_000, 'partyline.js': 15_000 };
let over = false;
for (const [file, budget] of Object.entries(budgets)) {
  const bytes = brotliCompressSync(readFileSync(`${pkg}/${file}`)).length;
  over ||= bytes > budget;
  console.log(`${file.padEnd(16)} ${(bytes / 1000).toFixed(1).padStart(7)} kB of ${budget / 1000} kB`);
}
process.exit(over ? 1 : 0);
