import { connect } from 'node:http2';
import type { V1Handler } from '../../kube/pod-objects.js';
import { joinHostPort, networkErrorText } from './go-errors.js';
import { hostOr, type ProbeTarget } from './http-probe.js';
import { outputLimitBytes, type ProbeOutcome } from './probe-outcome.js';

const servingStates = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'] as const;
const unimplemented = '12';

/**
 * Asks `grpc.health.v1.Health/Check`: success where it is serving. Without TLS. Throws the signal's reason (v1.24
 * `pkg/probe/grpc/grpc.go`; https://github.com/grpc/grpc/blob/master/doc/health-checking.md).
 */
export async function probeGrpc(action: NonNullable<V1Handler['grpc']>, target: ProbeTarget): Promise<ProbeOutcome> {
  const { podIp, timeoutMs, userAgent, signal } = target;
  const address = joinHostPort(hostOr(undefined, podIp), action.port);
  const failure = (output: string): ProbeOutcome => ({ result: 'failure', output });
  return new Promise((resolve, reject) => {
    const session = connect(`http://${address}`);
    const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    let connected = false;
    const finish = (settle: () => void) => {
      limit.removeEventListener('abort', onAbort);
      session.destroy();
      settle();
    };
    const seconds = timeoutMs / 1000;
    const onAbort = () =>
      finish(() => {
        if (signal.aborted) reject(signal.reason as Error);
        else if (connected) resolve(failure(`timeout: health rpc did not complete within ${seconds}s`));
        else
          resolve(
            failure(`timeout: failed to connect service "${address}" within ${seconds}s: context deadline exceeded`),
          );
      });
    const fail = (error: unknown) =>
      finish(() => {
        // A request that waits for the connection tells what broke it as its cause.
        const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
        const why = networkErrorText(cause, podIp, action.port);
        const what = connected ? 'health rpc probe failed' : `failed to connect service at "${address}"`;
        resolve(failure(`error: ${what}: ${why}`));
      });
    if (limit.aborted) {
      onAbort();
      return;
    }
    limit.addEventListener('abort', onAbort);
    session.on('connect', () => {
      connected = true;
    });
    session.on('error', fail);
    const call = session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      'user-agent': userAgent,
      te: 'trailers',
    });
    const chunks: Buffer[] = [];
    let size = 0;
    let status: string | undefined;
    let message = '';
    const readStatus = (headers: Readonly<Record<string, unknown>>) => {
      if (headers['grpc-status'] === undefined) return;
      status = String(headers['grpc-status']);
      message = decodeMessage(String(headers['grpc-message'] ?? ''));
    };
    call.on('response', readStatus);
    call.on('trailers', readStatus);
    call.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > outputLimitBytes) fail(new Error('the answer is too long'));
      else chunks.push(chunk);
    });
    call.on('error', fail);
    // A stream that was reset without an error has no end.
    call.on('close', () => fail(new Error('the stream was closed')));
    call.on('end', () =>
      finish(() => {
        if (status === unimplemented) {
          resolve(
            failure(
              `error: this server does not implement the grpc health protocol (grpc.health.v1.Health): ${message}`,
            ),
          );
        } else if (status === undefined) {
          resolve(failure('error: health rpc probe failed: the server closed the stream without sending trailers'));
        } else if (status !== '0') {
          resolve(failure(`error: health rpc probe failed: rpc error: code = ${status} desc = ${message}`));
        } else {
          const state = servingStates[parseHealthAnswer(Buffer.concat(chunks))] ?? 'UNKNOWN';
          const healthy = state === 'SERVING';
          resolve({
            result: healthy ? 'success' : 'failure',
            output: healthy ? 'service healthy' : `service unhealthy (responded with "${state}")`,
          });
        }
      }),
    );
    call.end(makeHealthRequest(action.service ?? ''));
  });
}

/** A gRPC frame (a flag, four bytes of length) around `HealthCheckRequest{1: service}`. */
export function makeHealthRequest(service: string): Buffer {
  const name = Buffer.from(service);
  const message =
    name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a, ...varint(name.length)]), name]);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** `HealthCheckResponse{1: status}`; a field that isn't there is 0. */
export function parseHealthAnswer(frame: Buffer): number {
  return frame.length >= 7 && frame[5] === 0x08 ? (frame[6] ?? 0) : 0;
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let left = value;
  for (; left > 0x7f; left >>>= 7) bytes.push((left & 0x7f) | 0x80);
  return [...bytes, left];
}

/** Percent-encoded; what isn't is shown as it came. */
function decodeMessage(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
