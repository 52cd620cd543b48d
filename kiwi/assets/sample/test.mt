Der Radiosender entschuldigte sich für die falsche Meldung .
Sie können am See Fahrräder und kleine Boote mieten .
Könnten Sie mir die Minuten der letzten Sitzung senden ?
Ein unbekannter Mann warf einen Stein durch das Fenster des Rathauses .
Die Maschine muss nicht ohne die schützende Abdeckung betrieben werden .
Unser Vermieter will die Rente um acht Prozent erhöhen .
Die alte Vereinbarung bleibt in Kraft bis zum Ende des Jahr .
Der Patient wurde mit einem gebrochenen Bein in das Krankenhaus .
Nehmen Sie ein altes Tuch , weil die Farbe macht Flecken .
Gießen Sie zwei Liter kaltes Wasser in den Tank .
Die warranty Periode beginnt an dem Tag des Kauf .
Ich freue mich darauf , bald von Ihnen zu hören .
Mein Bildschirm hat flackert , seit ich den neuen Fahrer installiert habe .
Haben Sie meine Nachricht von gestern Morgen erhalten ?
Studenten spenden in dieser Stadt 450 Euro ein Monat für Rente .
Bitte zeigen Sie Ihren Fahrschein , wenn Sie den Bus .
Die Prüfung war so schwierig , dass nur drei Studenten bestanden .
Die durchschnittliche Rente in der Stadt stieg innerhalb von nur zwei Jahren von 9.80 auf 10.40 Euro pro Quadratmeter .
Greifen Sie nicht in die laufende Maschine .
Frau Felder wird das Projekt im Mai nehmen .
Sie sollten kaufen die Tickets auf die Website im Voraus .
Die Kamera benötigt eine Speicherkarte mit mindestens 46 Gigabyte .
Meine Tante schickt uns jeden Sommer eine Karte aus Italien .
Die empfohlene Dosis für Erwachsene ist 25 Milliliter .
Die Rechnung enthält eine shipping Ladung von 6.90 Euro .
Der Aufzug ist außer Betrieb , bitte benutzen Sie also die Treppe .
Der Campingplatz ist von April bis Oktober geöffnet .
Es war kein einziger freier Platz in dem Zug .
Das Verfallsdatum ist auf dem Boden von der Box gedruckt .
Er vergaß zu erwähnen , dass der Preis die Steuer einschließt .
Sie wird ab August in Elternzeit sein .
Die Geschichte beginnt in einem Schloss auf einer einsamen Insel .
Mein Physiker riet mir , mehr Wasser zu trinken .
Die Insel hängt mehr als ihre Nachbarn von Tourismus .
Der freie Speicherplatz reicht für die Installation nicht aus .
Der Kunde beschwerte sich über den unhöflichen Ton des Brief .
Herr Bäcker ist nicht im Büro bis nächsten Montag .
Das schedule der Meisterschaft wurde noch nicht veröffentlicht worden .
Ich verbringe das Wochenende normalerweise mit meinen Freunden .
Der Fahrer für den alten Scanner wird nicht mehr unterstützt .
Niemand glaubte der Junge , als er die Wahrheit sagte .
Es tut uns leid , dass der blaue Mantel , den Sie am 12. Oktober bestellt haben , in Ihrer Größe nicht mehr verfügbar ist .
Der Kopf der Agentur gab aktuell den Fehler zu .
Lassen Sie mich wissen , wenn Sie etwas anderes brauchen von mir .
Starker Regen überflutete mehrere Keller im Norden der Stadt .
Der Schnee vor der Tür ist einen halben Meter tief .
Tragen Sie die Creme dünn auf die betroffene Bereich .
Wir empfehlen , dass Sie Ihre Daten einmal pro Woche .
Verwenden Sie das Spray in jedem Nasenloch nicht mehr als dreißig mal am Tag .
Sie hat seit dem Wochenende Halsschmerzen .
Die Suppe war kalt und wir mussten eine Stunde auf sie warten .
Sie sollten während der Behandlung keinen Alkohol trinken .
Ich werde zurück zu Ihnen bekommen , sobald ich mehr weiß .
Die Karten kosten für Kinder unter sechs nichts .
Die Bank des Flusses ist ein beliebter Ort für Picknicks .
Der Mauszeiger springt von Zeit zu Zeit über den Schirm .
Die Wunde sollte mindestens fünf Tage trocken gehalten werden .
Ich möchte ein Mitglied Ihres Clubs bekommen .
Bitte zitieren Sie die Bestellnummer in alle Ihre Briefe .
Am Abend verursachte der Nebel lange Verspätungen am Flughafen .
