/** One POST as the receiver stored it: when it came among all, and under which Idempotency-Key. */
export interface PostFile {
  readonly arrival: number;
  readonly key: string;
}

export const postFileName = ({ arrival, key }: PostFile): string =>
  `${String(arrival).padStart(8, "0")}.${encodeURIComponent(key)}.gz`;

export const parsePostFileName = (name: string): PostFile | undefined => {
  const match = /^(\d{8})\.(.*)\.gz$/.exec(name);
  return match === null ? undefined : { arrival: Number(match[1]), key: decodeURIComponent(match[2] as string) };
};
