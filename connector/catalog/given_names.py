"""Given names that are common in Sweden, Denmark and English-speaking countries.

For recognising a column of names by its values, nothing else. From the statistics offices' lists of
the most common given names (SCB, Danmarks Statistik, ONS), without those that are everyday words or
places in one of the languages.
"""

from __future__ import annotations

from typing import Final

GIVEN_NAMES: Final = frozenset(
    """
    agneta ahmed alexander ali alice amanda anders andreas andrew anita anna anne annika anthony axel
    barbara bengt bente betty birgitta birthe björn brian camilla carl carol cecilia cecilie charles
    charlotte christer christian christina christopher daniel david donald donna edward elin elisabet
    elisabeth elizabeth emelie emil emma erik eva fatima frederik fredrik gary george gunilla gunnar
    gustav göran hanna hanne hans hassan helen helena helle henrik ida inge inger ingrid jacob jan jason
    jeffrey jennifer jenny jens jesper jessica jette johan johanna john jonas jonathan joseph joshua
    julie jørgen karen karin karl kasper katrine kenneth kerstin kevin kirsten kristina lars lasse leif
    lena lene lennart linda linnéa lisa lone louise mads magnus malin marcus margaret margareta maria
    marianne marie martin mary mathias matilda mats matthew mette michael mikael mikkel mohamed mohammed
    monica morten nancy nicholas niels nils ole olof oscar oskar patricia paul per peter pia rasmus
    richard robert ronald ryan sandra sara sarah signe simon sofia stefan stephen steven susan susanne
    sven søren thomas timothy tina ulf ulla viktor viktoria william åke
    """.split()
)
