/**
 * Every kind of change that hyperup makes to a host. A change is journaled before it is made, with all that is
 * needed to take it back; uninstall replays the journal backwards.
 */
export type HostChange =
  /** A folder that was not there. Removed only when empty, or with all in it where `owned`. */
  | {
      readonly kind: 'directory';
      readonly path: string;
      readonly owned: boolean;
      /** An uninstall was told to keep it: it may not go when a later install is rolled back. */
      readonly kept?: boolean | undefined;
    }
  /** What comes into a folder that was there before: all in it goes but the names listed, which were there. */
  | { readonly kind: 'contents'; readonly path: string; readonly existing: readonly string[] }
  /** A file that was made or replaced; `backup` holds what was there before. */
  | { readonly kind: 'file'; readonly path: string; readonly backup: string | undefined }
  /** `path` bind-mounted on itself and made shared. */
  | { readonly kind: 'sharedMount'; readonly path: string }
  | { readonly kind: 'sysctl'; readonly key: string; readonly previous: string; readonly value: string }
  /** A route over `link` for addresses that this machine had none to; `source` is the address that it sends from. */
  | { readonly kind: 'route'; readonly destination: string; readonly link: string; readonly source: string }
  /** A container, by the label that finds it (never by name alone). */
  | { readonly kind: 'container'; readonly name: string; readonly labels: Readonly<Record<string, string>> }
  /** A tag that was put on an image; `previousId` where the tag pointed elsewhere before. */
  | {
      readonly kind: 'imageTag';
      readonly reference: string;
      readonly previousId: string | undefined;
      readonly pulledAs: string | undefined;
    }
  /** Entries merged into a kubeconfig file. */
  | {
      readonly kind: 'kubeconfig';
      readonly path: string;
      readonly entry: string;
      readonly previousContext: string | undefined;
      readonly created: boolean;
    }
  /** Netfilter chains that the cluster's components will make; the ones listed were there before and stay. */
  | { readonly kind: 'netfilter'; readonly existingChains: readonly string[] }
  /** Pods, which leave containers, mounts and log files behind. */
  | { readonly kind: 'pods'; readonly kubeletDir: string; readonly nodeName: string };

export type HostChangeKind = HostChange['kind'];

export interface JournalEntry {
  /** Grows by one an entry; unique in a journal. */
  readonly id: number;
  /** ISO 8601. */
  readonly time: string;
  readonly change: HostChange;
}
