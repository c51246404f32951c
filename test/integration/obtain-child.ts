/** Obtains one image as an install does, for tests that kill it: REFERENCE MIRROR BLOBS-DIR. */
import { systemClock } from '../../src/base/clock.js';
import { silentLogger } from '../../src/base/logger.js';
import { ignoreProgress } from '../../src/base/progress.js';
import { connectEngine } from '../../src/docker/connect.js';
import { obtainImages } from '../../src/mirror/obtain.js';
import { makeImageTools } from './image-tools.js';

const [reference = '', mirrors = '', blobsDir = ''] = process.argv.slice(2);
const engine = await connectEngine({ env: process.env });
const { clients, probe, transport, close } = await makeImageTools(engine, { blobsDir });
try {
  await obtainImages({
    engine,
    engineInfo: await engine.info(),
    release: { images: [{ name: 'image', reference }] },
    options: { mirrors: mirrors.split(','), build: false, stallMs: 20_000 },
    clients,
    probe,
    transport,
    emit: ignoreProgress,
    logger: silentLogger,
    clock: systemClock,
    onTag: async () => {},
  });
} finally {
  await close();
  engine.close();
}
