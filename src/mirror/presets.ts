import type { Mirror } from './mirror.js';

/** A named list of public mirrors, for those who can't know them by heart. */
export interface MirrorPreset {
  readonly name: string;
  readonly title: string;
  readonly mirrors: readonly Mirror[];
}

/**
 * When the presets were last looked over. Public mirrors come and go (azk8s.cn, ustc.edu.cn and dockerproxy.com
 * have gone), so a preset is no more than an order to try in; a mirror that fails is skipped with its reason.
 */
export const presetsReviewed = '2026-11';

/** Alibaba Cloud's copy of `k8s.gcr.io`: flat, last elements only. Docker Hub and others are not in it. */
const aliyun: readonly Mirror[] = ['registry.aliyuncs.com', 'registry.cn-hangzhou.aliyuncs.com'].map((host) => ({
  name: `${host}/google_containers`,
  templates: [`${host}/google_containers/{name}`],
  domains: ['k8s.gcr.io', 'gcr.io', 'registry.k8s.io'],
}));

/** DaoCloud's pull-through mirrors: a host an original registry, and one that takes the whole original name. */
const daocloud: readonly Mirror[] = [
  prefix('k8s-gcr.m.daocloud.io', 'k8s.gcr.io'),
  prefix('k8s.m.daocloud.io', 'registry.k8s.io'),
  prefix('docker.m.daocloud.io', 'docker.io'),
  prefix('quay.m.daocloud.io', 'quay.io'),
  { name: 'm.daocloud.io', templates: ['m.daocloud.io/{domain}/{path}'] },
];

/** A collection on Huawei Cloud under whole original names. */
const huawei: readonly Mirror[] = [
  {
    name: 'swr.cn-north-4.myhuaweicloud.com/ddn-k8s',
    templates: ['swr.cn-north-4.myhuaweicloud.com/ddn-k8s/{domain}/{path}'],
  },
];

/** Pull-through proxies run by volunteers; last, since they change address most often. */
const dockerproxy: readonly Mirror[] = [
  {
    name: 'k8s.dockerproxy.net',
    templates: ['k8s.dockerproxy.net/{path}'],
    domains: ['k8s.gcr.io', 'registry.k8s.io'],
  },
  prefix('dockerproxy.net', 'docker.io'),
];

/** Every preset that `--mirror` knows by name. Data only; sources are DaoCloud/public-image-mirror and users' set-ups. */
export const mirrorPresets: readonly MirrorPreset[] = [
  { name: 'cn', title: 'mainland China', mirrors: [...aliyun, ...daocloud, ...huawei, ...dockerproxy] },
  { name: 'aliyun', title: 'Alibaba Cloud', mirrors: aliyun },
  { name: 'daocloud', title: 'DaoCloud', mirrors: daocloud },
  { name: 'huawei', title: 'Huawei Cloud', mirrors: huawei },
];

function prefix(host: string, domain: string): Mirror {
  return { name: host, templates: [`${host}/{path}`], domains: [domain] };
}
