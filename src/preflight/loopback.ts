/** True for an address that means the asking machine itself. */
export function isLoopback(address: string): boolean {
  return (
    address.startsWith('127.') || address === '::1' || address.startsWith('::ffff:127.') || address === 'localhost'
  );
}
