import { access, mkdir, readdir, symlink } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

/**
 * A `PATH` on which a program can't be found, as on a machine that never had it: a folder of the present one that holds
 * it is replaced by one of links to all else in it, made below `folder`.
 */
export async function pathWithout(program: string, folder: string): Promise<string> {
  const parts = (process.env['PATH'] ?? '').split(delimiter).filter((part) => part !== '');
  const replaced = await Promise.all(
    parts.map(async (part, index) => {
      const holds = await access(join(part, program)).then(
        () => true,
        () => false,
      );
      if (!holds) return part;
      const links = join(folder, `path-${index}`);
      await mkdir(links);
      const names = (await readdir(part)).filter((name) => name !== program);
      for (const name of names) await symlink(join(part, name), join(links, name));
      return links;
    }),
  );
  return replaced.join(delimiter);
}
