import { makeFetchScene } from './fetch-scene.js';

/* A process that fetches one blob, to be killed: HOST PATH DIGEST SIZE FILE. It prints how many bytes it found in place. */
const [host = '', path = '', digest = '', size = '', file = ''] = process.argv.slice(2);
const scene = makeFetchScene([host], path);
await scene.fetcher.fetch({
  blob: { mediaType: 'application/octet-stream', digest, size: Number(size) },
  origins: scene.origins,
  path: file,
  onBytes: (bytes, origin) => {
    if (origin === undefined) process.stdout.write(`found ${bytes}\n`);
  },
});
await scene.close();
