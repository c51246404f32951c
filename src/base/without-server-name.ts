/**
 * For agents and requests that speak no TLS: a server's name is for TLS alone, and to find out that there is none takes
 * Node 10 ms the first time.
 */
export const withoutServerName: object = { servername: '' };
