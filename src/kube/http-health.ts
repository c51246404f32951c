import { Client } from 'undici';
import { transportError } from './api-errors.js';
import { startDeadline } from './deadline.js';
import { type TlsMaterial, tlsConnectOptions } from './tls-material.js';

export interface HealthProbeOptions extends TlsMaterial {
  /** `https://127.0.0.1:10257/healthz`; plain http too, for what offers nothing else. */
  readonly url: string;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

export interface HealthAnswer {
  readonly statusCode: number;
  readonly body: string;
}

/**
 * Asks a component's health endpoint once over a connection of its own, following no redirect. Any status is an answer;
 * no answer throws `ApiFailed` (`details.reason` `Unreachable`, `CertificateRejected`, `TlsFailed`), `Timeout` or `Aborted`.
 */
export async function probeHealth(options: HealthProbeOptions): Promise<HealthAnswer> {
  const url = new URL(options.url);
  const action = `probe ${url.pathname}`;
  const client = new Client(url.origin, { connect: tlsConnectOptions(options) });
  const deadline = startDeadline(action, options.timeoutMs, options.signal);
  try {
    const path = `${url.pathname}${url.search}`;
    const response = await client.request({ method: 'GET', path, signal: deadline.signal });
    return { statusCode: response.statusCode, body: await response.body.text() };
  } catch (error) {
    throw deadline.reason() ?? transportError(action, url.origin, error);
  } finally {
    deadline.end();
    await client.destroy();
  }
}
