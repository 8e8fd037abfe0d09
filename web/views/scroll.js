// @ts-check
/** Where the reader stands among the messages. */

/** So near to the end, in pixels, one is at the end. */
export const near = 40;

/**
 * Alone moves the scroll of the timeline. The reader stands at the end, or at a row that keeps its place on the screen
 * whatever is added, taken away or resized above and below it.
 */
export class Scroll {
  /**
   * @param {HTMLElement} box What scrolls.
   * @param {HTMLElement} list The rows.
   */
  constructor(box, list) {
    this.box = box;
    this.list = list;
    this.stuck = true;
    this.anchor = /** @type {{ key: string, top: number } | null} */ (null);
    this.sizes = "";
    this.top = 0;
  }

  /** The distance to the end. */
  get rest() {
    return this.box.scrollHeight - this.box.clientHeight - this.box.scrollTop;
  }

  /**
   * Index of the first row that ends below `line`, in pixels from the top of the list's content.
   * @param {number} line
   */
  rowBelow(line) {
    const rows = /** @type {ArrayLike<HTMLElement>} */ (/** @type {unknown} */ (this.list.children));
    let low = 0;
    let high = rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (rows[middle].offsetTop + rows[middle].offsetHeight > line) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Notes where the reader stands. */
  read() {
    if (this.stuck) return;
    const rows = this.list.children;
    for (let at = this.rowBelow(this.box.scrollTop); at < rows.length; at++) {
      const row = /** @type {HTMLElement} */ (rows[at]);
      if (!row.dataset.key) continue;
      this.anchor = { key: row.dataset.key, top: row.offsetTop - this.box.scrollTop };
      return;
    }
  }

  /** Puts the reader back there. */
  restore() {
    const { box, anchor } = this;
    if (this.stuck) {
      box.scrollTop = box.scrollHeight;
    } else if (anchor) {
      const row = /** @type {HTMLElement | null} */ (this.list.querySelector(`[data-key="${CSS.escape(anchor.key)}"]`));
      if (row) box.scrollTop = row.offsetTop - anchor.top;
    }
    this.settled();
  }

  measure() {
    return `${this.box.scrollHeight} ${this.box.clientHeight}`;
  }

  /**
   * Puts a row at a part of the height.
   * @param {HTMLElement} row
   * @param {number} part 0 is the top, 1 the foot.
   */
  show(row, part) {
    this.stuck = false;
    this.box.scrollTop = row.offsetTop - (this.box.clientHeight - row.offsetHeight) * part;
    this.read();
    this.settled();
  }

  settled() {
    this.sizes = this.measure();
    this.top = this.box.scrollTop;
  }

  /** The reader moved, unless the scroll moved by itself because something was resized. @param {boolean} live */
  moved(live) {
    if (this.sizes !== this.measure()) return;
    this.top = this.box.scrollTop;
    this.stuck = live && this.rest <= near;
    this.read();
  }

  /**
   * A wheel scrolls before the page is told: without this, whatever is drawn in between takes the reader back.
   * @param {boolean} live
   */
  catchUp(live) {
    if (this.box.scrollTop !== this.top) this.moved(live);
    this.read();
  }
}
