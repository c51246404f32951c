import type { Shape } from './manifest-shape.js';

const selectorTerms: Shape = [{ key: 'text', operator: 'text', values: 'texts' }];
const nodeSelectorTerm: Shape = { matchExpressions: selectorTerms, matchFields: selectorTerms };
const seLinuxOptions: Shape = { user: 'text', role: 'text', type: 'text', level: 'text' };
const seccompProfile: Shape = { type: 'text', localhostProfile: 'localPath' };
const pairs: Shape = [{ name: 'text', value: 'text' }];
const fieldRef: Shape = { apiVersion: 'text', fieldPath: 'text' };
const resourceFieldRef: Shape = { containerName: 'text', resource: 'text', divisor: 'quantity' };
const keyRef: Shape = { name: 'text', key: 'text', optional: 'truth' };
const keyItems: Shape = [{ key: 'text', path: 'localPath', mode: 'whole' }];
const fileItems: Shape = [{ path: 'localPath', mode: 'whole', fieldRef, resourceFieldRef }];

const handler = {
  exec: { command: 'texts' },
  httpGet: { path: 'text', port: 'wholeOrText', host: 'text', scheme: 'text', httpHeaders: pairs },
  tcpSocket: { port: 'wholeOrText', host: 'text' },
} as const satisfies Shape;

const probe: Shape = {
  ...handler,
  grpc: { port: 'whole', service: 'text' },
  initialDelaySeconds: 'whole',
  timeoutSeconds: 'whole',
  periodSeconds: 'whole',
  successThreshold: 'whole',
  failureThreshold: 'whole',
  terminationGracePeriodSeconds: 'whole',
};

const container: Shape = {
  workingDir: 'text',
  ports: [{ name: 'text', protocol: 'text', hostIP: 'text' }],
  env: [{ valueFrom: { fieldRef, resourceFieldRef, configMapKeyRef: keyRef, secretKeyRef: keyRef } }],
  envFrom: [
    {
      prefix: 'text',
      configMapRef: { name: 'text', optional: 'truth' },
      secretRef: { name: 'text', optional: 'truth' },
    },
  ],
  resources: { limits: 'quantityMap', requests: 'quantityMap' },
  volumeDevices: [{ name: 'text', devicePath: 'text' }],
  volumeMounts: [{ readOnly: 'truth', mountPropagation: 'text', subPathExpr: 'localPath' }],
  livenessProbe: probe,
  readinessProbe: probe,
  startupProbe: probe,
  lifecycle: { postStart: handler, preStop: handler },
  terminationMessagePath: 'text',
  terminationMessagePolicy: 'text',
  securityContext: {
    capabilities: { add: 'texts', drop: 'texts' },
    privileged: 'truth',
    runAsUser: 'whole',
    runAsGroup: 'whole',
    runAsNonRoot: 'truth',
    readOnlyRootFilesystem: 'truth',
    allowPrivilegeEscalation: 'truth',
    procMount: 'text',
    seLinuxOptions,
    seccompProfile,
  },
  stdin: 'truth',
  stdinOnce: 'truth',
  tty: 'truth',
  restartPolicy: 'text',
};

const keyed = (name: string): Shape => ({ [name]: 'text', items: keyItems, defaultMode: 'whole', optional: 'truth' });

const volume: Shape = {
  emptyDir: { medium: 'text', sizeLimit: 'quantity' },
  hostPath: { type: 'text' },
  secret: keyed('secretName'),
  configMap: keyed('name'),
  downwardAPI: { items: fileItems, defaultMode: 'whole' },
  projected: {
    sources: [
      {
        secret: keyed('name'),
        configMap: keyed('name'),
        downwardAPI: { items: fileItems },
        serviceAccountToken: { audience: 'text', expirationSeconds: 'whole', path: 'localPath' },
      },
    ],
    defaultMode: 'whole',
  },
  persistentVolumeClaim: { claimName: 'text', readOnly: 'truth' },
};

/**
 * A pod's fields that the kubelet reads, beside those that `validateManifest` looks at more closely (v1.20
 * `staging/src/k8s.io/api/core/v1/types.go`). Of objects that pass the API server it sees to all this.
 */
export const podShape: Shape = {
  spec: {
    activeDeadlineSeconds: 'whole',
    affinity: {
      nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [nodeSelectorTerm] } },
    },
    automountServiceAccountToken: 'truth',
    containers: [container],
    dnsConfig: { nameservers: 'texts', searches: 'texts', options: pairs },
    enableServiceLinks: 'truth',
    hostAliases: [{ ip: 'text', hostnames: 'texts' }],
    hostIPC: 'truth',
    hostNetwork: 'truth',
    hostPID: 'truth',
    hostname: 'text',
    imagePullSecrets: [{ name: 'text' }],
    initContainers: [container],
    nodeSelector: 'textMap',
    os: { name: 'text' },
    overhead: 'quantityMap',
    priority: 'whole',
    priorityClassName: 'text',
    readinessGates: [{ conditionType: 'text' }],
    runtimeClassName: 'text',
    securityContext: {
      fsGroup: 'whole',
      fsGroupChangePolicy: 'text',
      runAsGroup: 'whole',
      runAsNonRoot: 'truth',
      runAsUser: 'whole',
      seLinuxOptions,
      seccompProfile,
      supplementalGroups: ['whole'],
      sysctls: pairs,
    },
    serviceAccountName: 'text',
    setHostnameAsFQDN: 'truth',
    shareProcessNamespace: 'truth',
    subdomain: 'text',
    tolerations: [{ key: 'text', operator: 'text', value: 'text', effect: 'text', tolerationSeconds: 'whole' }],
    volumes: [volume],
  },
};
