import { request } from 'node:http';

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

/**
 * One GET over a connection of its own: a connection that is kept alive would meet the same pod behind a Service each
 * time. Rejects where nobody answers in time.
 */
export async function httpGet(url: string, timeoutMs = 10_000): Promise<HttpAnswer> {
  return await new Promise((resolve, reject) => {
    const outgoing = request(url, { agent: false, headers: { connection: 'close' }, timeout: timeoutMs }, (answer) => {
      let body = '';
      answer.setEncoding('utf8');
      answer.on('data', (chunk: string) => {
        body += chunk;
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body }));
      answer.on('error', reject);
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error(`GET ${url}: no answer in ${timeoutMs} ms`)));
    outgoing.on('error', (error) => reject(new Error(`GET ${url}: ${error.message}`, { cause: error })));
    outgoing.end();
  });
}
