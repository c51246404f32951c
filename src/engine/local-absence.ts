import { failedEndpoints } from '../docker/connect.js';

/**
 * True where `connectEngine` failed because no engine runs on this machine: only the usual sockets were tried, and none
 * refused us. Where the user named an engine elsewhere, or one is there that we may not use, it is false.
 */
export function isLocalAbsence(error: unknown): boolean {
  const tried = failedEndpoints(error);
  const usual = /^unix:\/\/\/(var\/)?run\/(user\/\d+\/)?docker\.sock$/;
  return (
    tried.length > 0 && tried.every(({ address, reason }) => usual.test(address) && reason !== 'permission denied')
  );
}
