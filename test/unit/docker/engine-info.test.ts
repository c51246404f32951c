import t from 'tap';
import { savePlatform, toEngineInfo } from '../../../src/docker/engine-info.js';

const facts = {
  endpoint: 'unix:///x',
  version: '29.0.0',
  apiVersion: '1.52',
  maxApiVersion: '1.52',
};
const version = { MinAPIVersion: '1.44' };

t.test('what an engine says is taken over', async (test) => {
  const wire = {
    OperatingSystem: 'Debian',
    Architecture: 'x86_64',
    CgroupDriver: 'systemd',
    CgroupVersion: '2',
    Driver: 'overlay2',
    DockerRootDir: '/var/lib/docker',
    MemTotal: 1024,
    NCPU: 4,
    HttpProxy: 'http://user:secret@proxy:3128',
    HttpsProxy: 'http://proxy:3128',
    NoProxy: 'localhost',
    SecurityOptions: ['name=seccomp,profile=builtin', 'name=rootless'],
    LiveRestoreEnabled: true,
    Warnings: ['WARNING: bridge-nf-call-iptables is disabled'],
    RegistryConfig: {
      Mirrors: ['https://mirror.invalid/'],
      InsecureRegistryCIDRs: ['127.0.0.0/8'],
      IndexConfigs: { 'docker.io': { Secure: true }, 'reg.invalid:5000': { Secure: false } },
    },
  };
  test.same(toEngineInfo(facts, wire, version), {
    ...facts,
    minApiVersion: '1.44',
    operatingSystem: 'Debian',
    architecture: 'x86_64',
    cgroupDriver: 'systemd',
    cgroupVersion: 2,
    storageDriver: 'overlay2',
    rootDir: '/var/lib/docker',
    memoryBytes: 1024,
    cpus: 4,
    registryMirrors: ['https://mirror.invalid/'],
    insecureRegistries: ['127.0.0.0/8', 'reg.invalid:5000'],
    httpProxy: 'http://***@proxy:3128',
    httpsProxy: 'http://proxy:3128',
    noProxy: 'localhost',
    rootless: true,
    liveRestore: true,
    warnings: ['WARNING: bridge-nf-call-iptables is disabled'],
  });
});

t.test('what an engine leaves out has a plain value', async (test) => {
  test.match(toEngineInfo(facts, {}, {}), {
    minApiVersion: '1.52',
    cgroupDriver: 'cgroupfs',
    cgroupVersion: 1,
    rootless: false,
    registryMirrors: [],
    insecureRegistries: [],
    warnings: [],
  });
  const empty = { RegistryConfig: null, Warnings: null, SecurityOptions: null };
  test.match(toEngineInfo(facts, empty, version), { warnings: [] });
});

t.test('only the containerd image store is asked for one platform', async (test) => {
  const containerd = { OSType: 'linux', DriverStatus: [['driver-type', 'io.containerd.snapshotter.v1']] };
  test.same(JSON.parse(savePlatform(containerd, 'arm64') ?? ''), { os: 'linux', architecture: 'arm64' });
  test.equal(savePlatform({ DriverStatus: [['Backing Filesystem', 'extfs']] }, 'amd64'), undefined);
  test.equal(savePlatform({ DriverStatus: null }, 'amd64'), undefined);
});
