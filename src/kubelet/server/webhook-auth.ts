import type { KubeClient } from '../../kube/kube-client-types.js';
import { resources } from '../../kube/resource-ref.js';
import type { RequestAttributes, ServerUser } from './server-types.js';

/** Asks the API server whose token it is; undefined where it isn't valid. Errors of the client's. */
export function makeTokenAuthenticator(
  client: Pick<KubeClient, 'create'>,
): (token: string) => Promise<ServerUser | undefined> {
  return async (token) => {
    const review = await client.create(resources.tokenReviews, {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      spec: { token },
    });
    const user = review.status?.user;
    if (review.status?.authenticated !== true || user === undefined) return undefined;
    return { name: user.username ?? '', uid: user.uid, groups: user.groups ?? [], extra: user.extra };
  };
}

/** Asks the API server whether a user may. Errors of the client's. */
export function makeSubjectAuthorizer(
  client: Pick<KubeClient, 'create'>,
): (user: ServerUser, attributes: RequestAttributes) => Promise<boolean> {
  return async (user, attributes) => {
    const review = await client.create(resources.subjectAccessReviews, {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec: {
        user: user.name,
        groups: user.groups,
        ...(user.uid === undefined ? {} : { uid: user.uid }),
        ...(user.extra === undefined ? {} : { extra: user.extra }),
        resourceAttributes: { ...attributes, version: 'v1' },
      },
    });
    return review.status?.allowed === true;
  };
}
