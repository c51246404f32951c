import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

// Makes a runtime the default in Docker's daemon.json and keeps every other key.
// Usage: set-default-runtime.js <daemon.json> <runtime name> <runtime program>

/** Ends with a message, so that a file that isn't understood is never written over. */
function fail(message) {
  process.stderr.write(`engine: ${message}\n`);
  process.exit(1);
}

function readConfig(path) {
  let text;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return {};
    return fail(`read ${path}: ${error.message}`);
  }
  if (text.trim() === '') return {};
  try {
    const parsed = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed;
  } catch (error) {
    return fail(`${path} is not JSON (${error.message}): mend it or move it away`);
  }
  return fail(`${path} is no JSON object: mend it or move it away`);
}

const [path, name, program] = process.argv.slice(2);
if (!program) fail('usage: set-default-runtime.js <daemon.json> <runtime name> <runtime program>');
const config = readConfig(path);
if (config['default-runtime'] !== name || config.runtimes?.[name]?.path !== program) {
  const wanted = { ...config, 'default-runtime': name, runtimes: { ...config.runtimes, [name]: { path: program } } };
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.new`, `${JSON.stringify(wanted, null, 2)}\n`, { mode: 0o644 });
  renameSync(`${path}.new`, path);
}
