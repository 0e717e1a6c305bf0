/** Where progress is shown: a terminal or a file. */
export type ProgressStream = Pick<NodeJS.WriteStream, "write" | "isTTY" | "columns">;

/** Shows one thing as it changes: on a terminal one line that is rewritten in place, else one line for each news. */
export interface ProgressLine {
  /** @param news what makes it worth a line of its own; the same again is none */
  readonly show: (text: string, news: string) => void;
  /** Takes the line away: what comes next begins at the margin. */
  readonly clear: () => void;
}

const columnsDefault = 80;
const takenAway = "\r\x1b[2K";

export const progressLine = (stream: ProgressStream): ProgressLine => {
  let told = "";
  let isShown = false;
  return {
    show: (text, news) => {
      if (!stream.isTTY) {
        if (news !== told) stream.write(`${text}\n`);
        told = news;
        return;
      }
      // A line that wraps cannot be rewritten: only its last row would be.
      const fitting = text.slice(0, (stream.columns || columnsDefault) - 1);
      stream.write(`${takenAway}${fitting}`);
      isShown = true;
    },
    clear: () => {
      if (isShown) stream.write(takenAway);
      isShown = false;
    },
  };
};
