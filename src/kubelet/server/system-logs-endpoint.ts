import { constants } from 'node:fs';
import { type FileHandle, lstat, open, readdir } from 'node:fs/promises';
import { errnoOf } from '../../base/errors.js';
import { HttpFault } from './http-fault.js';
import { drained } from './pump.js';
import { type Endpoint, sendText } from './request-context.js';

/**
 * Lists and gives files below the host's /var/log. Links are not followed: they could lead anywhere, and in a container
 * they would lead to another file than on the host. Source: kubelet.go ServeLogs, v1.20.
 */
export function makeSystemLogsEndpoint(hostRoot: string): Endpoint {
  return async ({ segments, trailingSlash, response, signal }) => {
    let path = `${hostRoot}/var/log`;
    let isFolder = await isFolderAt(path);
    for (const segment of segments.slice(1)) {
      if (!isFolder) throw new HttpFault(404, '404 page not found');
      path = `${path}/${segment}`;
      isFolder = await isFolderAt(path);
    }
    if (isFolder) {
      if (!trailingSlash) {
        response.writeHead(301, { location: `${encodeURIComponent(segments.at(-1) ?? '')}/`, 'content-length': 0 });
        response.end();
        return;
      }
      const entries = await readdir(path, { withFileTypes: true });
      const names = entries.map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name)).sort();
      const links = names.map((name) => `<a href="${encodeURI(name)}">${escapeHtml(name)}</a>\n`);
      sendText(response, 200, `<pre>\n${links.join('')}</pre>\n`, 'text/html; charset=utf-8');
      return;
    }
    const file = await openFile(path);
    try {
      if (!(await file.stat()).isFile()) throw new HttpFault(404, '404 page not found');
      response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' });
      for await (const chunk of file.createReadStream({ autoClose: false })) {
        if (signal.aborted) return;
        if (!response.write(chunk)) await drained(response);
      }
      response.end();
    } finally {
      await file.close().catch(() => {});
    }
  };
}

/** Throws an HttpFault 404 for what isn't there and for links. */
async function isFolderAt(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined || !(found.isDirectory() || found.isFile())) throw new HttpFault(404, '404 page not found');
  return found.isDirectory();
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    throw new HttpFault(errnoOf(error) === 'EACCES' ? 403 : 404, '404 page not found');
  }
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&#34;');
}
