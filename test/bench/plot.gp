# What a check costs a row, as bars: the CSV file in, the SVG file out.
set terminal svg noenhanced size 760,380 font 'sans-serif,13' background '#ffffff'
set output plot
set datafile separator ','
set style fill solid 0.85 noborder
set xlabel 'nanoseconds of CPU a row'
set grid xtics lc '#dddddd'
set border 2
set tics nomirror out
set offsets 0, graph 0.1, 0.6, 0.6
unset key

shown = "'^(domain_copy,(floor|regex|plpgsql|port_pin)|gate_insert,(fk|floor|plpgsql|gate)),'"
rows = "< grep -E ".shown." '".results."' | tac"
colour(name) = name eq 'port_pin' || name eq 'gate' ? 0x1b6e53 : 0x9aa5b1

plot [0:*] rows using ($5 / 2):0:($5 / 2):(0.35):(colour(strcol(2))):ytic(strcol(1).': '.strcol(2)) \
         with boxxyerror lc rgb variable, \
     rows using 5:0:(sprintf(' %d', $5)) with labels left
