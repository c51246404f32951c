import { pathExists } from '../base/files.js';
import { type Host, hostPath } from '../host/host.js';
import { findProgram } from './find-program.js';

export type ServiceManager = 'systemd' | 'openrc' | 'none';

/** Who starts services here. sd_booted(3) tells systemd, /run/openrc that OpenRC booted this machine. */
export async function findServiceManager(host: Pick<Host, 'root'>): Promise<ServiceManager> {
  if (await pathExists(hostPath(host, '/run/systemd/system'))) return 'systemd';
  if ((await pathExists(hostPath(host, '/run/openrc'))) && (await findProgram(host, 'rc-service'))) return 'openrc';
  return 'none';
}

/** The commands that make the engine run now and after a reboot. `none`: there is none, it is started by hand. */
export const startCommands: Readonly<Record<ServiceManager, readonly (readonly string[])[]>> = {
  systemd: [['systemctl', 'enable', '--now', 'docker']],
  openrc: [
    ['rc-update', 'add', 'docker', 'default'],
    ['rc-service', 'docker', 'start'],
  ],
  none: [],
};
