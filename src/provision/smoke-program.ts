/** The port that the smoke pod serves on. */
export const smokePort = 8080;

/**
 * A few lines of JavaScript for the built-in kubelet's image: `/smoke/hostname` gives the pod's own host name, and
 * `/smoke/dns?name=…&timeout=…` what the pod finds under names, each question within so many milliseconds, as JSON. Names
 * are looked for as libc does with `ndots:5`, along the search path of the pod's resolv.conf: the image need not have the
 * parts of libc that would.
 */
export const smokeServer = [
  "const { Resolver } = require('node:dns').promises;",
  "const conf = require('node:fs').readFileSync('/etc/resolv.conf', 'utf8');",
  'const search = (/^search\\s+(.*)$/m.exec(conf)?.[1] ?? "").split(/\\s+/).filter(Boolean);',
  'const find = async (name, timeout) => {',
  "  const candidates = name.endsWith('.') ? [name.slice(0, -1)] : [...search.map((domain) => [name, domain].join('.')), name];",
  "  let error = 'ENOTFOUND';",
  '  for (const candidate of candidates) {',
  '    try {',
  '      return { addresses: await new Resolver({ timeout, tries: 1 }).resolve4(candidate) };',
  '    } catch (fault) {',
  '      error = fault.code ?? String(fault);',
  "      if (error !== 'ENOTFOUND' && error !== 'ENODATA') break;",
  '    }',
  '  }',
  '  return { error };',
  '};',
  "const server = require('node:http').createServer(async (request, answer) => {",
  "  const { pathname, searchParams } = new URL(request.url, 'http://localhost');",
  "  if (pathname !== '/smoke/dns') return answer.end(require('node:os').hostname());",
  "  const names = searchParams.getAll('name');",
  "  const timeout = Number(searchParams.get('timeout') ?? 1000);",
  '  answer.end(JSON.stringify(Object.fromEntries(await Promise.all(names.map(async (name) => [name, await find(name, timeout)])))));',
  `}).listen(${smokePort});`,
  // Process 1 ends on a signal only where it asked for it.
  "process.on('SIGTERM', () => { server.close(); server.closeAllConnections(); });",
].join('\n');
