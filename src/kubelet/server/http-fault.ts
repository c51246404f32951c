import { type ErrorCode, HyperupError, messageOf } from '../../base/errors.js';

const codes: Readonly<Record<number, ErrorCode>> = {
  400: 'Usage',
  401: 'PermissionDenied',
  403: 'PermissionDenied',
  404: 'NotFound',
  405: 'Usage',
  422: 'Usage',
};

/** An answer other than 200; its message is the body, as text. */
export class HttpFault extends HyperupError {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(codes[status] ?? 'Internal', message);
    this.name = 'HttpFault';
    this.status = status;
    this.headers = headers;
  }
}

/** The status and text for anything thrown: 500 for what isn't an HttpFault. */
export function asFault(error: unknown): HttpFault {
  return error instanceof HttpFault ? error : new HttpFault(500, messageOf(error));
}
